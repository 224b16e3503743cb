"""What people have to do after a restore, computed from its report."""
