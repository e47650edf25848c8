# cython: language_level=3
"""The C data plane as Cython sees it: the one place of `cdef extern`. The contracts stand in the headers."""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "_native/address.h" nogil:
    struct lf_address:
        uint8_t bytes[16]
        uint8_t family

    uint64_t lf_address_number(const uint8_t *bytes)


cdef extern from "_native/reasons.h" nogil:
    enum:
        LF_REASONS
    const char *lf_reason_name(unsigned reason)


cdef extern from "_native/trie.h" nogil:
    struct lf_bits:
        uint64_t high
        uint64_t low


cdef extern from "_native/locators.h" nogil:
    struct lf_locator:
        lf_address address
        uint8_t slot
        uint8_t priority
        uint8_t weight
        uint8_t header[8]
        uint8_t form
        uint16_t port
        uint16_t mtu

    struct lf_locators:
        uint16_t count
        lf_locator locator[]

    const lf_locator *lf_locator_inside(const lf_locator *locator)


cdef extern from "_native/prefixes.h" nogil:
    enum lf_kind:
        LF_ENCAPSULATE
        LF_NATIVE
        LF_REJECT
        LF_DROP
        LF_RESOLVE

    struct lf_key:
        uint64_t high
        uint64_t low
        uint32_t iid
        uint8_t family
        uint8_t length

    struct lf_verdict:
        uint8_t kind
        uint8_t reject_code

    struct lf_prefix:
        lf_key key

    struct lf_prefixes:
        uint32_t fresh

    struct lf_use:
        uint64_t packets
        uint64_t bytes
        uint64_t packets_in
        uint64_t bytes_in
        uint64_t drops
        uint64_t last_ms

    bint lf_prefix_stands(const lf_prefix *prefix)


cdef extern from "_native/locals.h" nogil:
    struct lf_local:
        lf_address network
        uint8_t length
        uint16_t version
        uint32_t iid

    struct lf_locals:
        size_t count
        lf_local local[]


cdef extern from "_native/table.h" nogil:
    struct lf_table:
        lf_prefixes prefixes

    struct lf_source:
        lf_address address
        uint32_t ifindex

    struct lf_view:
        const lf_table *table
        uint64_t pin

    struct lf_match:
        lf_prefix *prefix
        const lf_verdict *verdict
        const lf_locators *locators

    struct lf_row:
        uint32_t value
        lf_match match

    struct lf_usage_row:
        uint32_t value
        lf_key key
        lf_use use

    lf_table *lf_table_new(unsigned workers, uint64_t seed)
    void lf_table_free(lf_table *table)
    lf_view lf_table_view(const lf_table *table)
    lf_match lf_table_lookup(lf_view view, uint32_t iid, const lf_address *address)
    void lf_table_find4(lf_view view, uint32_t iid, const uint32_t *addresses, uint32_t *values, size_t count)
    void lf_table_find6(lf_view view, uint32_t iid, const lf_bits *addresses, uint32_t *values, size_t count)
    lf_prefix *lf_table_prefix(const lf_table *table, uint32_t value)
    const lf_locals *lf_table_locals(lf_view view)
    const lf_source *lf_table_source(lf_view view, unsigned slot)
    size_t lf_table_walk(const lf_table *table, uint32_t *place, lf_row *rows, size_t room)
    size_t lf_table_usage(const lf_table *table, uint64_t since_ms, uint32_t *place, lf_usage_row *rows, size_t room)
    lf_use lf_table_use(const lf_table *table, const lf_prefix *prefix)
    lf_use lf_table_left(const lf_table *table)


cdef extern from "_native/transaction.h" nogil:
    enum lf_error:
        LF_OK

    enum lf_part:
        LF_PART_NONE
        LF_PART_PUT
        LF_PART_WITHDRAW
        LF_PART_LOCAL
        LF_PART_SOURCE
        LF_PART_SET
        LF_PART_SET_WITHDRAWAL
        LF_PART_BUFFER

    struct lf_problem:
        lf_error error
        lf_part part
        size_t item

    size_t lf_table_reclaim(lf_table *table)
    bint lf_table_settled(const lf_table *table)
    lf_problem lf_table_commit_packed(lf_table *table, const void *buffer, size_t length)
    const char *lf_error_text(lf_error error)


cdef extern from "_native/ring.h" nogil:
    enum lf_punt_kind:
        LF_PUNT_MISS
        LF_PUNT_PATH_MTU
        LF_PUNT_PLAIN
        LF_PUNT_UNREACHABLE
        LF_PUNT_HEADER

    enum lf_said:
        LF_SAID_NONCE
        LF_SAID_STATUS
        LF_SAID_ECHO
        LF_SAID_VERSION

    struct lf_saying:
        uint32_t field
        uint32_t status
        uint8_t flags

    struct lf_punt:
        lf_punt_kind kind
        lf_address destination
        lf_address source
        uint32_t iid
        uint32_t value
        lf_saying said


cdef extern from "_native/counters.h" nogil:
    struct lf_totals:
        uint64_t drops[1]
        uint64_t packets_out
        uint64_t bytes_out
        uint64_t packets_in
        uint64_t bytes_in
        uint64_t punts
        uint64_t staged


cdef extern from "_native/options.h" nogil:
    enum lf_checksum_policy:
        LF_CHECKSUM_AUTO
        LF_CHECKSUM_ZERO
        LF_CHECKSUM_ON

    struct lf_options:
        uint16_t port
        uint16_t vxlan_port
        unsigned source_ports
        lf_checksum_policy checksum
        bint offload
        bint mss_clamp
        bint hints
        bint native
        bint framed

    struct lf_features:
        bint vnet
        bint tso
        bint uso
        bint gro
        unsigned segments
        bint steered
        int steer_error


cdef extern from "_native/engine.h" nogil:
    struct lf_engine:
        pass

    lf_engine *lf_engine_new(const int *tuns, unsigned workers, const lf_options *options)
    void lf_engine_free(lf_engine *engine)
    int lf_engine_start(lf_engine *engine)
    void lf_engine_stop(lf_engine *engine)
    lf_problem lf_engine_commit_packed(lf_engine *engine, const void *buffer, size_t length)
    int lf_engine_punt_fd(const lf_engine *engine)
    void lf_engine_punt_rearm(lf_engine *engine)
    bint lf_engine_punt_take(lf_engine *engine, lf_punt *punt)
    lf_table *lf_engine_table(lf_engine *engine)
    unsigned lf_engine_workers(const lf_engine *engine)
    lf_totals lf_engine_totals(const lf_engine *engine)
    bint lf_engine_peer(const lf_engine *engine, uint32_t *place, lf_address *address, uint64_t *last_ms)
    lf_features lf_engine_features(const lf_engine *engine)
    bint lf_engine_has_family(const lf_engine *engine, unsigned family)
    bint lf_engine_tun_lost(const lf_engine *engine)
    uint64_t lf_engine_now_ms()


cdef extern from "_native/epoch.h" nogil:
    enum:
        LF_READERS_MAX
