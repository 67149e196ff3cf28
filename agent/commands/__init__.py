"""What each word after ``sigap`` does; a module is imported only when its command runs."""
