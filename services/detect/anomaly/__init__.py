"""How unusual is a reading? One score in 0..1 for any series, whatever it measures. It raises no alert."""
