/* An image that the rig brings: decoded and hashed off the loop, then stored and answered. */
#ifndef EVOKED_DAEMON_RIG_IMAGE_H
#define EVOKED_DAEMON_RIG_IMAGE_H

#include "daemon/answer.h"
#include "protocol/message.h"

struct daemon;

void rig_image_take(struct daemon *daemon, const struct asker *asker, const struct message *message);

#endif
