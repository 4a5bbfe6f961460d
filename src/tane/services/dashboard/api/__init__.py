"""The portal's pages: each asks the API as the user and shows what it said."""
