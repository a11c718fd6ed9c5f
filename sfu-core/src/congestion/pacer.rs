//! When packets leave: a key frame must not enter a thin link as one burst.
