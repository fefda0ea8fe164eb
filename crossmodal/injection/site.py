from ..site import *  # noqa: F403  (shim while others move)
