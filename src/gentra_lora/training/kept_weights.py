"""Which of a training's weights are measured and exported: the live ones or their mean, of the last or best step."""

import contextlib

from diffusers.training_utils import EMAModel

from gentra_lora.adapter.lora import LoraModule, lora_modules


class KeptWeights:
    """The weights to keep.

    Args:
        unet: the denoiser with the adapter.
        trainable: the adapter's parameters.
        ema_decay: of the exponential moving mean of the weights; None for the weights themselves.
        keep: "last", or "best" for those of the lowest held-out loss.
    """

    def __init__(self, unet, trainable, ema_decay, keep):
        self.unet, self.trainable, self.keep = unet, trainable, keep
        self.ema = EMAModel(trainable, ema_decay, foreach=True) if ema_decay else None
        self.best = None  # step, held_out and, where it is kept, the adapter of the lowest held-out loss

    def average(self):
        """Take the weights of a finished update into the mean."""
        if self.ema:
            self.ema.step(self.trainable)

    @contextlib.contextmanager
    def in_place(self):
        """A context, not to be nested, in which the denoiser has the weights to measure: the mean, if there is one."""
        if self.ema:
            self.ema.store(self.trainable)
            self.ema.copy_to(self.trainable)
        try:
            yield
        finally:
            if self.ema:
                self.ema.restore(self.trainable)

    def note(self, step, held_out):
        """Remember the step, and where they are to be kept the weights, of the lowest held-out loss."""
        if self.best is None or held_out < self.best["held_out"]:
            adapter = self._copy() if self.keep == "best" else None
            self.best = {"step": step, "held_out": held_out, "adapter": adapter}

    def final(self):
        """Return {module path: LoraModule}, copies of the weights to export."""
        adapter = self.best["adapter"] if self.keep == "best" else self._copy()
        return {name: LoraModule(*factors) for name, factors in adapter.items()}

    def _copy(self):
        with self.in_place():
            modules = lora_modules(self.unet)
            return {
                name: [module.down.detach().clone(), module.up.detach().clone()] for name, module in modules.items()
            }

    def state(self):
        """Return what a checkpoint keeps."""
        return {"ema": self.ema.state_dict() if self.ema else None, "best": self.best}

    def restore(self, saved, device):
        """Continue from a checkpoint's state."""
        self.best = saved["best"]
        if self.ema:
            self.ema.load_state_dict(saved["ema"])
            self.ema.to(device)
