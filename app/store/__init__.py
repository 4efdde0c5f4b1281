"""`inloop store`: what a store holds is checked, copied into another store, or given up where no run that is kept needs it."""
