"""The pages for a browser: made here whole, without scripts, in the reader's language."""
