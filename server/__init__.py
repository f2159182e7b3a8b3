"""The shell: command line, settings, call sessions, sockets, journal, dashboards."""
