// SPDX-License-Identifier: MIT
//
// Onto the medium: what has returned from here a power cut does not take back. 0, or an errno that
// is in errno, too.
#ifndef AGENT_BASE_FLUSH_H
#define AGENT_BASE_FLUSH_H

int flush_data(int fd); // the content, and of the rest what is needed to read it
int flush_file(int fd); // also of a directory

#endif
