//! What a browser gets, over a store in memory.
