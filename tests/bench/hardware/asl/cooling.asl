// The thermal zone of the all-in-one and the fan that cools it (ACPI 6.5, chapter 11). Temperatures are tenths of a
// kelvin. The registers' address is REGISTERS; hardware/registers.py says what lies there.
DefinitionBlock ("", "SSDT", 2, "BENCH", "COOLING", 1)
{
    External (\_SB.CPUS.C000, DeviceObj)
    External (\_SB.CPUS.C001, DeviceObj)

    OperationRegion (COOL, SystemMemory, REGISTERS, 12)
    Field (COOL, DWordAcc, NoLock, Preserve)
    {
        TEMP, 32,
        DUTY, 32,
        RPMS, 32
    }

    Scope (\_SB)
    {
        Device (FAN0)
        {
            Name (_HID, EisaId ("PNP0C0B"))
            Name (_FIF, Package () { 0, 0, 0, 0 })

            // Control (%), trip point, speed (rpm), noise, power: the fan never rests.
            Name (_FPS, Package ()
            {
                0,
                Package () { 50, 0x0FFFFFFF, 1200, 0xFFFFFFFF, 0xFFFFFFFF },
                Package () { 65, 0x0FFFFFFF, 1560, 0xFFFFFFFF, 0xFFFFFFFF },
                Package () { 80, 0x0FFFFFFF, 1920, 0xFFFFFFFF, 0xFFFFFFFF },
                Package () { 100, 0, 2400, 0xFFFFFFFF, 0xFFFFFFFF }
            })
            Name (STAT, Package () { 0, 0, 0 })

            Method (_FSL, 1, Serialized) { DUTY = Arg0 }
            Method (_FST, 0, Serialized)
            {
                STAT [1] = DUTY
                STAT [2] = RPMS
                Return (STAT)
            }
        }
    }

#if !FAN_BOUND
    Scope (\_SB)
    {
        Device (FAN1)
        {
            Name (_HID, EisaId ("PNP0C0B"))
            Name (_UID, 1)
            Name (_STA, 0)
        }
    }
#endif

    Scope (\_TZ)
    {
        ThermalZone (TZ00)
        {
            Name (_TZP, 10)                                             // looked at each second
            Method (_TMP, 0, Serialized) { Return (TEMP) }
            Name (_CRT, 3782)                                           // 105 °C: switched off
            Name (_PSV, 3682)                                           // 95 °C: the processor is slowed down
            Name (_PSL, Package () { \_SB.CPUS.C000, \_SB.CPUS.C001 })
            Name (_TC1, 4)
            Name (_TC2, 3)
            Name (_TSP, 20)
            Name (_AC0, 3382)                                           // 65 °C: the fan is driven up
#if FAN_BOUND
            Name (_AL0, Package () { \_SB.FAN0 })
#else
            Name (_AL0, Package () { \_SB.FAN1 })
#endif
        }
    }
}
