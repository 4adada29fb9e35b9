"""What may be asked of a picture, whoever asks: the command line, the service, a PNG's record. Without torch."""

from typing import Literal, get_args

SCHEDULE_STEPS = 1000  # of every Stable Diffusion 1.x
LEAST_SEED, MOST_SEED = -(2**63), 2**64 - 1  # torch's
LEAST_SIDE, MOST_SIDE, SIDE_UNIT = 64, 2048, 8  # px
MOST_GUIDANCE = 30
MOST_IMAGES = 16  # of one request
MOST_BLUR, MOST_PADDING = 64, 2048  # px, of a mask; A1111's page has as much blur
MaskContent = Literal["original", "fill", "noise", "nothing"]
MASK_CONTENTS = get_args(MaskContent)
