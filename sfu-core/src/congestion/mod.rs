//! What is told to a sender about its path: transport-wide feedback and REMB.
