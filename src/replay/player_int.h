/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_PLAYER_INT_H
#define CORAL_REPLAY_PLAYER_INT_H

