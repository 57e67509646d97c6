//! What all protocols share.
