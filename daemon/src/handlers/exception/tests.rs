//! Exceptions: asked for, and ended.
