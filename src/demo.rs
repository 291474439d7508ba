//! The embedded estate: a loopback HTTP server with a simulated world behind the Kubernetes API.
