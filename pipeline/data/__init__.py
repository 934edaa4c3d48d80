"""Problems and solutions from files and the Hub."""
