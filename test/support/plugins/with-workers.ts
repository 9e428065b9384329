/** Set-up of the jest project "resident": the plugins under test find workers to hand their work to. */
process.env["FAIRLEAD_TEST_WORKERS"] = "3";
