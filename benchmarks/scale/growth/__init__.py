"""What it costs when work grows: records that are kept, tasks that wait, polls that are held."""
