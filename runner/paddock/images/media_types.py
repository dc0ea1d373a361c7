"""The media types of OCI documents: what writes them and what asks a registry for them agree here.

Source: the OCI image specification 1.1, media-types.md.
"""

from __future__ import annotations

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
