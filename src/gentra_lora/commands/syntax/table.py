"""Every command: where a person looks for it, what help says of it, and where its work is done."""

from dataclasses import dataclass

PROGRAM = "gentra-lora"
RUN, LOOK, SHARE, REPAIR = (
    "Run: set up a training, and draw with what it gave",
    "Look: what came out",
    "Share: with others, and with other machines",
    "Repair: before and after something fails",
)
HEADINGS = (RUN, LOOK, SHARE, REPAIR)
DRAWN = "Drawn by the adapter that `dvc repro` trained. Each PNG says how it was made; `regenerate` makes it again."
FOLDER = "--folder https://drive.google.com/drive/folders/1AbC..."


@dataclass(frozen=True)
class Entry:
    """One command, or a family of commands where `work` is empty."""

    heading: str
    work: str  # "module:function" of this package, imported only when the command runs
    told: str  # in a list of commands
    example: str  # the words after gentra-lora
    more: str = ""  # in its own help


ENTRIES = {
    "profile": Entry(
        RUN,
        "params:use_profile",
        "copy profiles/NAME.yaml over params.yaml",
        "profile sd15_t4",
        "Refused where params.yaml has edits that git does not have.",
    ),
    "set": Entry(
        RUN,
        "params:set_values",
        "set values in params.yaml, its comments kept",
        "set train.steps=2000",
        "What would not be valid is refused, and nothing is written.",
    ),
    "base": Entry(
        RUN,
        "model:base_command",
        "take another base model",
        "base models/mine",
        "It goes into params.yaml; a local one also into dvc.yaml, so that DVC sees when its files change.",
    ),
    "masks": Entry(
        RUN,
        "masks:masks_command",
        "masks of the photos, by a segmentation model",
        "masks --label car",
        "For photos that have none in masks/ yet, and a sheet of all to look at. train.background_weight says what is "
        "outside of them counts; docs/photos.md has more.",
    ),
    "noise": Entry(
        RUN,
        "noise:noise_command",
        "train several seeds: how far runs lie apart",
        "noise --seeds 3",
        "Each seed is trained and evaluated as params.yaml says; the working tree is left alone. `compare` and the "
        "report then tell a better run from a lucky one.",
    ),
    "generate": Entry(
        RUN,
        "pictures:generate_command",
        "pictures of a prompt",
        'generate "a gentra" --count 4',
        DRAWN,
    ),
    "img2img": Entry(
        RUN,
        "pictures:img2img_command",
        "a photo, redrawn as the prompt says",
        'img2img car.jpg "at night"',
        f"{DRAWN} With --mask, what is black in it stays as it is in the photo, pixel for pixel.",
    ),
    "regenerate": Entry(
        RUN,
        "regenerate:regenerate_command",
        "a picture of ours again, by what its PNG says",
        "regenerate snow.png",
        "By the same weights on the same base; says whether it is the same picture.",
    ),
    "summary": Entry(LOOK, "summary:summary_command", "what the last `dvc repro` gave, on one screen", "summary"),
    "compare": Entry(
        LOOK,
        "compare:compare_command",
        "which of two revisions is better, how surely",
        "compare HEAD slower",
        "Both were evaluated; their pictures and losses are compared in pairs.",
    ),
    "lora": Entry(
        LOOK,
        "model:lora_command",
        "how many weights the adapter would train",
        "lora",
        "As params.yaml says, and on which modules; no weight of the base is loaded.",
    ),
    "drive": Entry(SHARE, "", "photos and weights on Google Drive", "drive push", "docs/drive.md has the three ways."),
    "drive mount": Entry(
        SHARE,
        "drive:mount_command",
        "a folder of a mounted Drive is the remote",
        "drive mount /content/drive/MyDrive/sport_gentra_lora/dvc",
    ),
    "drive oauth": Entry(
        SHARE,
        "drive:log_in_remote",
        "a Drive folder is the remote, by a log-in with your own OAuth client",
        f"drive oauth --credentials ~/drive_key.json {FOLDER}",
    ),
    "drive service-account": Entry(
        SHARE,
        "drive:service_account_remote",
        "a Drive folder is the remote, only to pull, by a service account",
        f"drive service-account --credentials ~/robot.json {FOLDER}",
    ),
    "drive login": Entry(
        SHARE,
        "drive:login_command",
        "make the key file for `drive oauth`, once",
        "drive login --client ~/client.json --out ~/drive_key.json",
    ),
    "drive push": Entry(
        SHARE, "drive:push_command", "push what branches, tags, experiments and the workspace need", "drive push"
    ),
    "drive pull": Entry(SHARE, "drive:pull_command", "pull what the checked-out revision needs", "drive pull"),
    "drive check": Entry(
        SHARE,
        "drive:check_command",
        "prove that all that branches, tags and experiments need is on the remote",
        "drive check",
    ),
    "weights": Entry(SHARE, "", "the exact weights of a git revision", "weights list"),
    "weights list": Entry(
        SHARE,
        "weights:list_command",
        "revisions and experiments with weights",
        "weights list",
        "With their metrics, and whether the remote has the weights; without a remote, whether DVC's cache has them.",
    ),
    "weights pull": Entry(
        SHARE,
        "weights:pull_command",
        "fetch the weights of a revision and prove that they are its own",
        "weights pull --rev v1.2 --dest weights",
    ),
    "weights show": Entry(
        SHARE,
        "weights:show_command",
        "where an adapter's file came from",
        "weights show models/sport_gentra_lora.safetensors",
    ),
    "serve": Entry(
        SHARE,
        "serve:serve_command",
        "pictures over HTTP by a revision's weights",
        "serve --rev main",
        "Each option may stand in the environment as well: GENTRA_REV for --rev. docs/service.md has the rest.",
    ),
    "doctor": Entry(
        REPAIR,
        "doctor:doctor_command",
        "what would fail later, and what to do",
        "doctor",
        "Exit status 1 where something would. --repair first puts a killed `dvc exp run` right.",
    ),
}


def names_in(family: str) -> list[str]:
    """Return the names of a family's commands, or of those at the top where `family` is empty."""
    start = f"{family} " if family else ""
    names = (path.removeprefix(start) for path in ENTRIES if path.startswith(start))
    return [name for name in names if " " not in name]
