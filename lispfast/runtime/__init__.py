"""The shell around the core: sockets, netlink, TUN, routes and the clock. It knows no protocol."""
