"""What every index must do, as checks that a third-party index can run."""
