"""The checks of ``paddock doctor``: each looks at one thing and says what to do about it. None changes anything."""
