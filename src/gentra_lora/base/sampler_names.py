"""The names of the samplers, for whoever only asks for one: samplers.py, with what they stand for, needs diffusers."""

SAMPLER_NAMES = ("dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde", "unipc", "euler", "euler_a", "ddim")
DEFAULT = "dpmpp_2m"
