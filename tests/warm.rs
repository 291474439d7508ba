//! A placeholder until the first real test lands.
