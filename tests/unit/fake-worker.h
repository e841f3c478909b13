/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A test program that is its own worker: a Peer whose `worker` is FAKE_WORKER starts the program again. */
#pragma once

#define FAKE_WORKER "/proc/self/exe"

/* The first line of main(): plays the worker, and does not return, where the daemon started this process. It knows
 *   create     makes the volume; volume "mute" is work for a job
 *   upload, download, import, export, rename, convert, rebase, wipe, snapshot
 *              tell what texts they were given, as said.WORD, and of a descriptor said.size
 *   attachment tells of a raw image /srv/images/disk
 *   open       gives a memfd with the text "data", for reading where read-only is "yes"
 *   endpoint   NeedsJob in a session, else gives a socket whose other end is closed
 * On volume "mute" it never answers, on volume "empty" it answers without what was asked for, on volume "dead" it ends. */
void fake_worker_main(int argc, char **argv);
