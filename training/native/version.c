/* Of which sources this library was built: compiled.py does not use one of others. */

#include <stdint.h>

int64_t sources_crc(void) { return SOURCES_CRC; }
