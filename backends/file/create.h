/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New volumes of file-based pools. */
#pragma once

#include "file/entry.h"

/* As Backend.volume_create. Raw files are made in the session worker, what qemu-img formats in a job. */
int file_create(Ctx *c, const char *name, uint64_t capacity, const Bag *options, uid_t creator);

/* The format that the options and the pool's default ask for; InvalidArgs when an option is given that it
 * does not take, or that goes with another that is missing. */
int file_create_format(const FileRoot *r, const char *name, const Bag *options, ImageFormat *ret);

/* Whether one of the options asks for an image of another making (cluster size, preallocation, encryption), which copying the
 * bytes of one of the same format does not give; the others are of its file. */
bool file_options_are_of_image(const Bag *options);

/* Gives the empty file fd its size and what the options allocate of it, or writes zeros: a job's work. */
int file_create_raw(const FileRoot *r, const char *name, int fd, uint64_t capacity, const Bag *options);

/* Formats the empty file fd, that does not hold data yet, as an image of `capacity` bytes (rounded up to
 * sectors). Starts qemu-img. *ret_passphrase (may be NULL) gets the memfd with the passphrase, -EBADF
 * without encryption. */
int file_create_image(const FileRoot *r, const char *name, int fd, ImageFormat format, uint64_t capacity,
                      const Bag *options, int *ret_passphrase);

/* Bytes that such an image takes for sure. */
uint64_t file_image_takes(ImageFormat f, uint64_t capacity, const Bag *options);

/* From now on the delete, and the like, of the backing volume looks for its overlays. */
int file_mark_base(const FileRoot *r, const char *raw, const FileEntry *e);
/* A backing file as it goes into a header: a name with a colon would be read as a protocol. */
int file_backing_path(const char *given, char **ret);

extern const ImageFormat file_create_formats[]; /* ends with FORMAT_NONE */
#define FILE_VOLUME_OPTIONS 16
extern const OptionSpec file_volume_options[FILE_VOLUME_OPTIONS];

/* Makes [start, end) of fd take space: fallocate(), else zeros are written, which is a job's work. fd ends
 * at `start` or has only a hole there. Sets the error. */
int file_allocate(const FileRoot *r, int fd, uint64_t start, uint64_t end, bool write_zeros);
