/* What is wanted of the data plane, and what the kernel gave of it. */
#ifndef LF_OPTIONS_H
#define LF_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* model/settings.py: UdpChecksum. In `auto` a packet alone goes without, a run with: the kernel refuses a run without. */
enum lf_checksum_policy { LF_CHECKSUM_AUTO, LF_CHECKSUM_ZERO, LF_CHECKSUM_ON };

/* Ours: source ports of one worker and family. */
enum { LF_PORTS_MAX = 64 };

/* As the owner of an engine asks for it. */
struct lf_options {
    uint16_t port;       /* LISP and LISP-GPE */
    uint16_t vxlan_port; /* VXLAN-GPE, 0 for none */
    unsigned source_ports;
    enum lf_checksum_policy checksum;
    bool offload;
    bool mss_clamp;
    bool hints;  /* what LISP headers say is told and judged (hints.h) */
    bool native; /* raw sockets for what is to leave outside LISP (native.h) */
    bool framed; /* for descriptors that are no TUN: they speak virtio-net headers with every offload */
};

/* As it came out. */
struct lf_features {
    bool vnet;         /* frames with a virtio-net header */
    bool tso, uso;     /* TCP and UDP segmentation in the frames, both ways */
    bool gro;          /* UDP_GRO on the receiving sockets */
    unsigned segments; /* datagrams in a UDP_SEGMENT run, 1 where it is off */
    bool steered;      /* both directions of a flow at one worker */
    int steer_error;   /* why not: an errno, 0 where there is but one worker */
};

#endif
