//! What the end-to-end stories share. The stories themselves are in `tests/tests/`.
