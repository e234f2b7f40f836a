"""Whether a quantised network is as good as its float form: scores, gates, certificate."""
