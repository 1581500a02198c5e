//! Under load the writer commits many units at once, and every one of them is there.
