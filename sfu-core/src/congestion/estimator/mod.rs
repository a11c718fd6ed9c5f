//! What one receiver's path carries.
