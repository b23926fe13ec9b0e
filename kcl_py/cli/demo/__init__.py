"""`kcl demo`: a fleet that loses workers and follows a changing stream, on this machine."""
