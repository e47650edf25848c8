#include "address.h"

static bool all_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i])
            return false;
    return true;
}

static bool link_local(const struct lf_address *address)
{
    if (address->family == 4)
        return address->bytes[0] == 169 && address->bytes[1] == 254;
    return address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

bool lf_address_may_send(const struct lf_address *address)
{
    const uint8_t *bytes = address->bytes;

    if (address->family == 4) {
        if (bytes[0] == 0 || bytes[0] == 127 || (bytes[0] & 0xf0) == 0xe0)
            return false;
        return !(bytes[0] == 255 && bytes[1] == 255 && bytes[2] == 255 && bytes[3] == 255);
    }
    if (bytes[0] == 0xff)
        return false;
    return !(all_zero(bytes, 15) && bytes[15] <= 1); /* :: and ::1 */
}

bool lf_address_tunnelled(const struct lf_address *address)
{
    return lf_address_may_send(address) && !link_local(address);
}
