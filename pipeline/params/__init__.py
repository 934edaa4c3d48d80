"""params.yaml as a whole: all its sections, checked together; profiles; what each stage's code is."""

from pipeline.params.check import check, fingerprints
from pipeline.params.profiles import profile, profiles, text

__all__ = ["check", "fingerprints", "profile", "profiles", "text"]
