/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A unified kernel image (UKI) as a container: opens into the kernel in it, and tells what came
 * along with that (struct bundle). It does what the image's own stub does when firmware starts it,
 * as far as that makes sense without firmware: profiles, addons, the order of the initrds. The stub
 * itself is not run.
 */
#ifndef KEXEC_NG_UKI_CONTAINER_H
#define KEXEC_NG_UKI_CONTAINER_H

#include "container.h"

/*
 * Takes every PE file. Reads req->profile and req->addons; sets kernel and bundle. Spans point into
 * the file and the addons. Ids of uki.h, "pe/..." and:
 * "uki/machine"		for another architecture
 * "uki/no-kernel"		a PE file without .linux
 * "uki/is-addon"		one that is meant to be added to a UKI
 * "uki/addon-...", notes too	an addon that does not fit: an error when it was asked for
 */
extern const struct container uki_container;

#endif
