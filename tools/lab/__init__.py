# SPDX-License-Identifier: Apache-2.0
"""The laboratory: one operator's realm and one ASP on loopback, for people (gba-lab) and for the system tests."""
