/* A ring of entries, each with one allocation for its responses and mask. All operations are a walk over the ring: it
 * holds some dozens in normal operation, and its maximum only after minutes without a daemon. */
#include "protocol/outbox.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int outbox_init(size_t max_n, size_t max_bytes, struct outbox *ret_outbox)
{
	struct outbox_entry *entries = calloc(max_n, sizeof *entries);

	if (!entries)
		return -ENOMEM;
	*ret_outbox = (struct outbox){.entries = entries, .max_n = max_n, .max_bytes = max_bytes};
	return 0;
}

static struct outbox_entry *at(const struct outbox *outbox, size_t i)
{
	return &outbox->entries[(outbox->head + i) % outbox->max_n];
}

void outbox_done(struct outbox *outbox)
{
	if (!outbox)
		return;
	for (size_t i = 0; i < outbox->n; i++)
		free(at(outbox, i)->memory);
	free(outbox->entries);
	*outbox = (struct outbox){0};
}

const struct outbox_entry *outbox_entry(const struct outbox *outbox, size_t i)
{
	return at(outbox, i);
}

int outbox_push(struct outbox *outbox, const struct presentation *presentation, struct error *err)
{
	const size_t mask_size = presentation->mask ? presentation->mask_size : 0;
	const size_t size = presentation->responses_size + mask_size;
	struct outbox_entry *entry;
	unsigned char *memory;

	if (presentation->number <= outbox->last_number)
		return error_set(err, -EINVAL, "number: more than %lld, the last one, expected, found %lld",
				 (long long)outbox->last_number, (long long)presentation->number);
	if (outbox->n == outbox->max_n || size > outbox->max_bytes - outbox->bytes)
		return error_set(err, -EAGAIN, "outbox: at most %zu presentations and %zu bytes, found %zu and %zu",
				 outbox->max_n, outbox->max_bytes, outbox->n, outbox->bytes);
	memory = malloc(size + 1);
	if (!memory)
		return error_set(err, -ENOMEM, "outbox: out of memory");
	memcpy(memory, presentation->responses, presentation->responses_size);
	if (mask_size)
		memcpy(memory + presentation->responses_size, presentation->mask, mask_size);

	entry = at(outbox, outbox->n++);
	*entry = (struct outbox_entry){.presentation = *presentation, .memory = memory, .size = size};
	entry->presentation.responses = memory;
	entry->presentation.mask = mask_size ? memory + presentation->responses_size : NULL;
	entry->presentation.mask_size = mask_size;
	outbox->n_unsettled++;
	outbox->bytes += size;
	outbox->last_number = presentation->number;
	return 0;
}

/* The units change from presentation to presentation only where a version begins or ends. */
static bool same_units(const struct session_spec *spec, int64_t a, int64_t b)
{
	for (uint32_t i = 0; i < spec->n_units; i++) {
		const struct session_unit *unit = &spec->units[i];

		if ((unit->from_number > a && unit->from_number <= b) ||
		    (unit->until_number > a && unit->until_number <= b))
			return false;
	}
	return true;
}

size_t outbox_take_block(struct outbox *outbox, const struct session_spec *spec, int64_t block, int64_t now_ns,
			 size_t max_n, size_t max_bytes, struct presentation *ret_presentations, size_t *ret_n_again)
{
	size_t n = 0, n_again = 0, bytes = 0;

	for (size_t i = 0; i < outbox->n && n < max_n; i++) {
		struct outbox_entry *entry = at(outbox, i);

		if (entry->state != OUTBOX_WAITING)
			continue;
		if (n > 0 && (bytes + entry->size > max_bytes ||
			      !same_units(spec, ret_presentations[0].number, entry->presentation.number)))
			break;
		if (entry->first_sent_ns)
			n_again++;
		else
			entry->first_sent_ns = now_ns;
		entry->state = OUTBOX_SENT;
		entry->block = block;
		bytes += entry->size;
		ret_presentations[n++] = entry->presentation;
	}
	*ret_n_again = n_again;
	return n;
}

void outbox_return_block(struct outbox *outbox, int64_t block)
{
	for (size_t i = 0; i < outbox->n; i++) {
		struct outbox_entry *entry = at(outbox, i);

		if (entry->state == OUTBOX_SENT && entry->block == block)
			entry->state = OUTBOX_WAITING;
	}
}

void outbox_return_all(struct outbox *outbox)
{
	for (size_t i = 0; i < outbox->n; i++) {
		if (at(outbox, i)->state == OUTBOX_SENT)
			at(outbox, i)->state = OUTBOX_WAITING;
	}
}

static void settle(struct outbox *outbox, struct outbox_entry *entry)
{
	entry->state = OUTBOX_SETTLED;
	outbox->n_unsettled--;
	if (outbox->settled)
		outbox->settled(outbox->ctx, entry);
}

static void drop_settled(struct outbox *outbox)
{
	while (outbox->n > 0 && at(outbox, 0)->state == OUTBOX_SETTLED) {
		struct outbox_entry *entry = at(outbox, 0);

		outbox->bytes -= entry->size;
		free(entry->memory);
		outbox->head = (outbox->head + 1) % outbox->max_n;
		outbox->n--;
	}
}

void outbox_settle_through(struct outbox *outbox, int64_t number)
{
	for (size_t i = 0; i < outbox->n; i++) {
		struct outbox_entry *entry = at(outbox, i);

		if (entry->state != OUTBOX_SETTLED && entry->presentation.number <= number)
			settle(outbox, entry);
	}
	drop_settled(outbox);
}

void outbox_settle_block(struct outbox *outbox, int64_t block, const int64_t *missing, size_t n_missing)
{
	for (size_t i = 0; i < outbox->n; i++) {
		struct outbox_entry *entry = at(outbox, i);
		size_t j = 0;

		if (entry->state != OUTBOX_SENT || entry->block != block)
			continue;
		while (j < n_missing && missing[j] != entry->presentation.number)
			j++;
		if (j < n_missing)
			entry->state = OUTBOX_WAITING;
		else
			settle(outbox, entry);
	}
	drop_settled(outbox);
}
