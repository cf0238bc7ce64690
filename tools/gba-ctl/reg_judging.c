/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl registry judging: devices that wait to be judged anew, and how far that is. The daemon does it. */
#include "core/clock.h"
#include "registry-fn/trust/mass.h"
#include "tools/gba-ctl/rec.h"

static void job_write(struct writer *out, const struct mass_job *job)
{
	time_t took = clock_now() - job->began;
	bool known = job->vulnerability >= 0 && job->done > 0 && took > 0;

	writer_text(out, "because", bytes_of(mass_because(job)));
	writer_text(out, "vulnerability", job->reference[0] != '\0' ? bytes_of(job->reference) : BYTES_NONE);
	writer_int(out, "done", job->done);
	writer_int(out, "devices", job->total);
	writer_time(out, "began", job->began);
	writer_int(out, "seconds-left", known ? (job->total - job->done) * took / job->done : 0);
	writer_end(out);
}

static enum gba_err cmd_judging(struct cli *cli, void *args)
{
	struct mass_job *jobs = NULL;
	struct records *r = NULL;
	size_t i, n = 0;
	enum gba_err err;

	(void)args;
	writer_prefer(cli->out, WRITER_TABLE);
	err = rec_registry_open((struct ctl *)cli, false, &r);
	if (err == GBA_OK)
		err = ctl_fail_err((struct ctl *)cli, mass_jobs(r, cli->ctx, &jobs, &n), "judging");
	for (i = 0; err == GBA_OK && i < n; i++)
		job_write(cli->out, &jobs[i]);
	return err;
}

const struct cli_cmd ctl_registry_judging_commands[] = {
	{ "registry judging", "", 0, 0, NULL, 0, NULL, cmd_judging, "Show devices that wait to be judged anew, and how far that is" },
	CLI_CMD_END,
};
