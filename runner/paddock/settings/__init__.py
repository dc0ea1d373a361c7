"""What a user can set: ``table`` declares it, ``resolution`` reads it, ``documentation`` writes it down."""
