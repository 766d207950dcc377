"""The watchers: they look for trouble while hardware is being exercised."""
