"""Every fault of MariaDB and MySQL the lab can cause, family by family."""
