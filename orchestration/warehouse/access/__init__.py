"""Who may do what in the database: roles and their grants, the limits and rows of readers, the role of exports."""
