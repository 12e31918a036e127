"""The local web server: a page to search with, a page to look at labels. Needs the extra `partreid[serve]`."""
