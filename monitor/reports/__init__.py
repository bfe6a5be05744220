"""Documents about what happened: made of what is kept, in the reader's language, and the same in every format."""
