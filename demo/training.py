"""What the trainings of demo/ share: pictures, a one-cycle rate, an average of the weights, resumable state."""

import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import transformers
import yaml
from torch.nn import functional as F

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

SAVE_EVERY_SECONDS = 120
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_params(stage):
    return yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))[stage]


def load_pictures(stage="render", count=None):
    """Return the renders of a stage, all or the first `count`, uint8 (N, 3, H, W)."""
    shards, found = [], 0
    for path in sorted((Path("work") / stage).glob("*.npy")):
        if count is not None and found >= count:
            break
        shards.append(np.load(path))
        found += len(shards[-1])
    return torch.from_numpy(np.concatenate(shards)[:count]).permute(0, 3, 1, 2).contiguous()


def load_captions(stage="render"):
    return (Path("work") / stage / "captions.txt").read_text(encoding="utf-8").splitlines()


def to_pixel_values(pictures):
    """uint8 (N, 3, H, W) -> float (N, 3, H, W) in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def shifted(pictures, generator, most=6):
    """Return the pictures moved by a few pixels: the features shall not care."""
    padded = F.pad(pictures, (most,) * 4, mode="replicate")
    moved = []
    for picture in padded:
        dy, dx = torch.randint(0, 2 * most + 1, (2,), generator=generator).tolist()
        moved.append(picture[:, dy : dy + pictures.shape[2], dx : dx + pictures.shape[3]])
    return torch.stack(moved)


def one_cycle(step, steps, peak, warmup=0.05):
    """Return the learning rate at a step: linear up, cosine down to a hundredth of the peak."""
    start = max(1, round(steps * warmup))
    if step < start:
        return peak * (step + 1) / start
    share = (step - start) / max(1, steps - start)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def steady(step, steps, peak, warmup=200, decay_share=0.2):
    """Return the learning rate at a step: up, steady, and linearly down in the last share of the steps.

    Hu et al. 2024, arXiv 2404.06395: a run can be made longer until its decay has begun.
    """
    left = (steps - step) / (steps * decay_share)
    return peak * min(1.0, (step + 1) / warmup, max(left, 0.01))


class Run:
    """A training that survives being killed: everything random in step n is drawn from generator(seed, n)."""

    def __init__(self, name, module, params, ema_decay=0.0, schedule=one_cycle):
        self.module, self.params, self.path = module.to(DEVICE), params, Path(f"work/state/{name}.pt")
        self.name, self.step, self.ema_decay, self.schedule = name, 0, ema_decay, schedule
        groups = [
            {"params": [p for p in module.parameters() if p.ndim > 1], "weight_decay": params["weight_decay"]},
            {"params": [p for p in module.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=params["learning_rate"], betas=(0.9, 0.99), fused=True)
        self.ema = {k: v.clone() for k, v in module.state_dict().items()} if ema_decay else None
        self.losses, self.saved = {}, time.monotonic()
        if self.path.exists():
            state = torch.load(self.path, weights_only=True, map_location=DEVICE)
            if self._goes_on(state):
                module.load_state_dict(state["module"])
                self.optimizer.load_state_dict(state["optimizer"])
                self.step, self.ema = state["step"], state["ema"]
                print(f"{name}: going on from step {self.step}", flush=True)
            else:
                print(f"{name}: {self.path} is of other parameters; starting fresh", flush=True)

    def _goes_on(self, state):
        """Return whether a state is of this run; a steady one may have been made longer before its decay."""
        before, now = state["params"], self.params
        if before == now or self.schedule is one_cycle:
            return before == now
        even = before | {"steps": 0} == now | {"steps": 0}
        return even and state["step"] <= 0.8 * min(before["steps"], now["steps"])

    def steps(self):
        """Yield (step, generator) for the steps that are left."""
        started, first = time.monotonic(), self.step
        while self.step < self.params["steps"]:
            yield self.step, torch.Generator().manual_seed(self.params["seed"] * 1_000_003 + self.step)
            self.step += 1
            if self.step % self.params["log_every"] == 0:
                pace = (time.monotonic() - started) / (self.step - first)
                left = pace * (self.params["steps"] - self.step) / 60
                shown = "  ".join(f"{k} {sum(v) / len(v):.4f}" for k, v in self.losses.items())
                print(f"{self.name} {self.step}: {shown}  {pace:.3f} s a step, {left:.0f} min left", flush=True)
                self.losses = {}
            if time.monotonic() - self.saved > SAVE_EVERY_SECONDS or self.step == self.params["steps"]:
                self.save()

    def update(self, loss, **shown):
        """One optimizer step on a loss; `shown` values are averaged into the log."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule(self.step, self.params["steps"], self.params["learning_rate"])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        if self.ema is not None:
            decay = min(self.ema_decay, (1 + self.step) / (10 + self.step))
            floats = [(self.ema[k], v) for k, v in self.module.state_dict().items() if v.is_floating_point()]
            torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - decay)
        for key, value in {"loss": loss, **shown}.items():
            self.losses.setdefault(key, []).append(float(value.detach()))

    def finish(self):
        """Put the average of the weights, where there is one, into the module; on the CPU, for evaluation."""
        if self.ema is not None:
            self.module.load_state_dict(self.ema)
        return self.module.cpu().eval()

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "params": self.params,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "ema": self.ema,
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.path)
        self.saved = time.monotonic()
