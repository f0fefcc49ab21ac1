/* Every bound of the protocol, by name. A message over one of them is refused with an error that names it. */
#ifndef EVOKED_PROTOCOL_LIMITS_H
#define EVOKED_PROTOCOL_LIMITS_H

enum {
	PROTOCOL_VERSION = 1,

	LIMIT_FRAMES = 16,		     /* of one message, the header included */
	LIMIT_MESSAGE_BYTES = 8 << 20,	     /* soft: a named error */
	LIMIT_MESSAGE_BYTES_HARD = 16 << 20, /* ZMQ_MAXMSGSIZE: the peer is disconnected */
	LIMIT_ANSWER_BYTES = 64 << 20,	     /* what a client takes from the daemon: a batch with its images */
	LIMIT_HEADER_BYTES = 1 << 20,
	LIMIT_HEADER_DEPTH = 16,
	LIMIT_HEADER_VALUES = 65536, /* about: commas and brackets are counted */

	LIMIT_PRESENTATIONS = 1000, /* in one message */
	LIMIT_UNITS = 1024,
	LIMIT_BINS = 32,
	LIMIT_ARRAYS = 64,
	LIMIT_COUNT = 10000, /* spikes in one bin */
	LIMIT_BATCH_SLOTS = 1000,
	LIMIT_IMAGE_BYTES = 4 << 20, /* one PNG from the rig */
	LIMIT_IMAGE_SIDE_PX = 1024,
	LIMIT_LABEL_BYTES = 64,
	LIMIT_NOTE_BYTES = 4096,
	LIMIT_MISSING_REPORTED = 64, /* numbers in settled.missing */
	LIMIT_REFUSED_REPORTED = 64,
	LIMIT_CLIENTS = 64,	    /* identities that one socket remembers */
	LIMIT_OUT_OF_ORDER = 65536, /* how far a presentation number may be ahead of settled_through */
};

#define LIMIT_INTEGER ((int64_t)1 << 53) /* exclusive: what a double holds exactly */

enum { PORT_RIG = 5571, PORT_STATUS = 5572, PORT_CONTROL = 5573 };

#endif
